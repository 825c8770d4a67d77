import { applyDecorators, UseGuards } from '@nestjs/common';
import { ApiBearerAuth } from '@nestjs/swagger';
import { DescribeProblems, problem } from '../openapi/describe.js';
import { AdminGuard } from './admin.guard.js';

/** A controller of the admin API: who may call it, and what is answered to others. */
export function AdminOnly(): ClassDecorator {
  return applyDecorators(
    UseGuards(AdminGuard),
    ApiBearerAuth('admin'),
    DescribeProblems(
      {
        description: 'The bearer token is missing or wrong.',
        example: problem(
          401,
          'unauthorized',
          'Unauthorized',
          'The admin API asks for the bearer token ADMIN_TOKEN.',
        ),
      },
      {
        description: 'The service listens on the loopback, and the Host header names another host.',
        example: problem(
          403,
          'forbidden',
          'Forbidden',
          'The Host header must name the loopback, such as localhost.',
        ),
      },
    ),
  ) as ClassDecorator;
}
