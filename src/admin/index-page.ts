/** `GET /`: where things are. */
export const INDEX_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Penstock</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
</head>
<body>
<h1>Penstock</h1>
<p>Takes records and delivers them at the pace of their destination.</p>
<ul>
<li><a href="/docs">API documentation</a> (<a href="/openapi.json">OpenAPI document</a>)</li>
<li><a href="/health">Health</a>: <a href="/health/live">live</a>, <a href="/health/ready">ready</a>,
<a href="/health/startup">startup</a></li>
<li><a href="/metrics">Metrics</a></li>
<li><a href="/v1/admin/pipeline">State of the pipeline</a>, <a href="/v1/admin/conservation">conservation</a>,
<a href="/v1/admin/partitions">partitions</a>; stages:
<a href="/v1/admin/stages/Gateway">Gateway</a>, <a href="/v1/admin/stages/KeyGen">KeyGen</a>,
<a href="/v1/admin/stages/IngressProcessing">IngressProcessing</a>,
<a href="/v1/admin/stages/AsyncEgress">AsyncEgress</a>, <a href="/v1/admin/stages/FinalSink">FinalSink</a></li>
<li><a href="/v1/admin/sources">Sources</a>, <a href="/v1/admin/sinks">sinks</a>,
<a href="/v1/admin/acknowledgments">acknowledgments</a>, <a href="/v1/admin/dead-letters">dead letters</a></li>
<li><a href="/v1/admin/config">Settings in force</a>, <a href="/v1/admin/audit">what operators have changed</a>,
<a href="/v1/admin/events">events</a> (a stream)</li>
</ul>
</body>
</html>
`;
