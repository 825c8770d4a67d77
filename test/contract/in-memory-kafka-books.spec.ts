import { InMemoryKafkaBooks } from '../support/in-memory-kafka-books.js';
import { describeKafkaBooksContract } from './kafka-books.contract.js';

describeKafkaBooksContract('in memory', async () => {
  const books = new InMemoryKafkaBooks();
  return { books, other: books, close: () => Promise.resolve() };
});
