import { Controller, Get, Header } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { DescribeAnswer } from '../openapi/describe.js';
import { INDEX_PAGE } from './index-page.js';

@ApiTags('documents')
@Controller()
export class IndexController {
  @Get()
  @ApiOperation({ summary: 'A page of links.' })
  @DescribeAnswer({
    description: 'HTML.',
    schema: z.string(),
    example: '<!doctype html><title>Penstock</title><a href="/docs">API</a>',
    type: 'text/html',
  })
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
  index(): string {
    return INDEX_PAGE;
  }
}
