import { mayEnter, parsePasswd } from './run-as-user.js';

describe('parsePasswd', () => {
  it('reads users and skips comments and empty lines', () => {
    const text = '# users\nroot:x:0:0:root:/root:/bin/sh\n\npostgres:x:101:104::/var/lib:/bin/sh\n';
    expect(parsePasswd(text)).toEqual([
      { name: 'root', uid: 0, gid: 0 },
      { name: 'postgres', uid: 101, gid: 104 },
    ]);
  });
});

describe('mayEnter', () => {
  const user = { uid: 101, gid: 104 };
  const rootOwned = { uid: 0, gid: 0 };

  it('lets others in by their bit', () => {
    expect(mayEnter(0o755, rootOwned, user)).toBe(true);
    expect(mayEnter(0o750, rootOwned, user)).toBe(false);
  });

  it('judges the owner by the owner bit alone', () => {
    expect(mayEnter(0o700, { uid: 101, gid: 0 }, user)).toBe(true);
    expect(mayEnter(0o077, { uid: 101, gid: 0 }, user)).toBe(false);
  });

  it('judges the group by the group bit alone', () => {
    expect(mayEnter(0o710, { uid: 0, gid: 104 }, user)).toBe(true);
    expect(mayEnter(0o701, { uid: 0, gid: 104 }, user)).toBe(false);
  });
});
