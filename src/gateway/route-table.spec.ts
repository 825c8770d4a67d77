import { RouteTable } from './route-table.js';

describe('RouteTable', () => {
  it('knows the methods of a path, with parameters and escaped colons', () => {
    const table = new RouteTable();
    table.add('/v1/records', ['POST']);
    table.add('/v1/records::batch', ['POST']);
    table.add('/v1/records/:id', ['GET', 'HEAD']);
    table.add('/v1/records/:id', ['DELETE']);
    table.add('*', ['GET']);
    expect(table.methodsOf('/v1/records?x=1')).toEqual(['POST']);
    expect(table.methodsOf('/v1/records:batch')).toEqual(['POST']);
    expect(table.methodsOf('/v1/records/a%20b')).toEqual(['DELETE', 'GET', 'HEAD']);
    expect(table.methodsOf('/v1/recordsX')).toEqual([]);
    expect(table.methodsOf('/v1/records/a/b')).toEqual([]);
  });
});
