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
<li><a href="/v1/admin/pipeline">State of the pipeline</a></li>
<li><a href="/v1/admin/dead-letters">Dead letters</a></li>
</ul>
</body>
</html>
`;
