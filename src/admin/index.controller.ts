import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { INDEX_PAGE } from './index-page.js';

@ApiExcludeController()
@Controller()
export class IndexController {
  @Get()
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
  index(): string {
    return INDEX_PAGE;
  }
}
