import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { tlsSettings } from './tls.js';

describe('tlsSettings', () => {
  it('is off unless DATABASE_SSL asks for it', () => {
    expect(tlsSettings({ databaseSsl: 'off', databaseSslCa: undefined })).toBe(false);
  });

  it('encrypts without a look at the certificate when it is required only', () => {
    expect(tlsSettings({ databaseSsl: 'require', databaseSslCa: undefined })).toEqual({
      rejectUnauthorized: false,
    });
  });

  it('verifies against the authorities of Node without a CA of yours', () => {
    expect(tlsSettings({ databaseSsl: 'verify-full', databaseSslCa: undefined })).toEqual({
      rejectUnauthorized: true,
    });
  });

  it('verifies against DATABASE_SSL_CA, and says so when its file is missing', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'penstock-tls-'));
    const file = path.join(folder, 'ca.pem');
    writeFileSync(file, 'certificate');
    try {
      expect(tlsSettings({ databaseSsl: 'verify-full', databaseSslCa: file })).toEqual({
        rejectUnauthorized: true,
        ca: 'certificate',
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(() => tlsSettings({ databaseSsl: 'verify-full', databaseSslCa: file })).toThrow(file);
  });
});
