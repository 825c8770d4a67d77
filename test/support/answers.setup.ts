// Every answer that a test gets must be one that the OpenAPI document describes.
import { expectNoMisfits } from './answer-watch.js';

afterEach(expectNoMisfits);
// Answers that came after the last test.
afterAll(expectNoMisfits);
