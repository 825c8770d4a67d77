/** Where KeyGen shows its load to operators, who never see a stage's inside. */
export class PartitionCounts {
  private reader: () => readonly number[] = () => [];

  show(read: () => readonly number[]): void {
    this.reader = read;
  }

  /** Records in flight of each partition, of this process. */
  read(): readonly number[] {
    return this.reader();
  }
}
