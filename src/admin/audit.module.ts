import { Module } from '@nestjs/common';
import { Audit } from './audit.js';

/** For every module that lets an operator change something. Import it where `Audit` is injected. */
@Module({ providers: [Audit], exports: [Audit] })
export class AuditModule {}
