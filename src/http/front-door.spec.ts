import { FrontDoor, PortError } from './front-door.js';

describe('FrontDoor', () => {
  const doors: FrontDoor[] = [];
  async function open(port = 0): Promise<FrontDoor> {
    const door = new FrontDoor();
    doors.push(door);
    await door.listen(port, '127.0.0.1');
    return door;
  }
  afterEach(async () => {
    await Promise.all(doors.splice(0).map((door) => door.close()));
  });

  it('answers a problem until it is opened, and counts as live (F1)', async () => {
    const door = await open();
    const answer = await fetch(`http://127.0.0.1:${door.port}/v1/records/1`);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await answer.json()).toMatchObject({ type: '/problems/starting', status: 503 });
    expect((await fetch(`http://127.0.0.1:${door.port}/health/live`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${door.port}/health/ready`)).status).toBe(503);
  });

  it('gives requests to the handler once it is opened', async () => {
    const door = await open();
    door.prepare((_, response) => response.end('up'));
    expect((await fetch(`http://127.0.0.1:${door.port}/`)).status).toBe(503);
    door.open();
    expect(await (await fetch(`http://127.0.0.1:${door.port}/`)).text()).toBe('up');
  });

  it('says in one sentence that the port is in use', async () => {
    const { port } = await open();
    const second = new FrontDoor();
    await expect(second.listen(port, '127.0.0.1')).rejects.toThrow(
      new PortError(
        `PORT ${port} on 127.0.0.1 is in use by another process; stop it or choose another PORT.`,
      ),
    );
  });

  it('says in one sentence that the host is not one of this machine', async () => {
    await expect(new FrontDoor().listen(0, '192.0.2.1')).rejects.toThrow(
      /^HOST 192\.0\.2\.1 can't be/,
    );
  });

  it('lets the answers in flight end when it closes (F2)', async () => {
    const door = await open();
    let finish = (): void => undefined;
    const arrived = new Promise<void>((resolve) => {
      door.prepare((_, response) => {
        finish = () => response.end('done');
        resolve();
      });
    });
    door.open();
    const answer = fetch(`http://127.0.0.1:${door.port}/`);
    await arrived;
    const closed = door.close();
    finish();
    expect(await (await answer).text()).toBe('done');
    await closed;
  });

  it('closes when it never listened', async () => {
    await expect(new FrontDoor().close()).resolves.toBeUndefined();
  });
});
