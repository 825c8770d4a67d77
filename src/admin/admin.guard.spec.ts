import { type ExecutionContext, HttpException } from '@nestjs/common';
import type { ServiceOptions } from '../config/service.options.js';
import { AdminGuard } from './admin.guard.js';

function ask(options: Partial<ServiceOptions>, headers: Record<string, string>): number {
  const context = {
    switchToHttp: () => ({
      getRequest: () => ({ headers }),
      getResponse: () => ({ header: () => undefined }),
    }),
  } as unknown as ExecutionContext;
  try {
    new AdminGuard({ host: '127.0.0.1', ...options } as ServiceOptions).canActivate(context);
    return 200;
  } catch (error) {
    if (error instanceof HttpException) return error.getStatus();
    throw error;
  }
}

describe('AdminGuard', () => {
  it.each(['localhost', 'localhost:3000', '127.0.0.1:3000', '[::1]:3000', '127.9.9.9'])(
    'lets the loopback in under its name %s',
    (host) => {
      expect(ask({}, { host })).toBe(200);
    },
  );

  it.each(['evil.example', 'evil.example:3000', '127.0.0.1.evil.example', '', '192.168.0.2:3000'])(
    'refuses the Host header %j on the loopback',
    (host) => {
      expect(ask({}, { host })).toBe(403);
      expect(ask({ adminToken: 't' }, { host, authorization: 'Bearer t' })).toBe(403);
    },
  );

  it('lets the bearer of the token in, from anywhere', () => {
    const headers = { host: 'penstock.example', authorization: 'Bearer secret-token' };
    expect(ask({ host: '0.0.0.0', adminToken: 'secret-token' }, headers)).toBe(200);
  });

  it.each(['', 'Bearer wrong', 'Bearer secret-token2', 'Basic secret-token', 'secret-token'])(
    'refuses the authorization %j',
    (authorization) => {
      const options = { host: '0.0.0.0', adminToken: 'secret-token' };
      expect(ask(options, { host: 'x', authorization })).toBe(401);
    },
  );
});
