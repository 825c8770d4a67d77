import {
  InMemoryAcknowledgments,
  InMemoryBooks,
  InMemoryJournal,
} from '../support/in-memory-ledger.js';
import {
  type ContractBounds,
  type ContractLedger,
  describeLedgerContract,
} from './ledger.contract.js';

function openOn(books: InMemoryBooks, bounds: ContractBounds | undefined): ContractLedger {
  const statusOf: ContractLedger['statusOf'] = async (id) =>
    books.journal.has(id) ? { status: 'accepted' } : books.ended.get(id)?.terminal;
  return {
    journal: new InMemoryJournal(books, bounds),
    acknowledgments: new InMemoryAcknowledgments(books),
    statusOf,
    delivered: async () => (books.outputs.get('delivered') ?? []).map(({ record }) => record.id),
    expireKeys: async () => books.keys.clear(),
    restart: async () => openOn(books, bounds),
    close: () => Promise.resolve(),
  };
}

describeLedgerContract('in memory', async (bounds) => openOn(new InMemoryBooks(), bounds));
