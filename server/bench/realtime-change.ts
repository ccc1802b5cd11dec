/** A frame as a message in a group makes it: about 500 bytes. */
export function changeOf(number: number): object {
  return {
    op: 'changes',
    position: 'AAAAAQAAAAAGTn4wAAAAAQ',
    conversation_id: '0198c1f2-7a31-7c5e-9d2b-4f8e6a1b3c5d',
    from: 1_000_000 + number,
    to: 1_000_001 + number,
    messages: [
      {
        id: '0198c1f2-7a31-7c5e-9d2b-4f8e6a1b3c5e',
        number: 1_000_000 + number,
        sender_id: '0198c1f2-7a31-7c5e-9d2b-4f8e6a1b3c5f',
        body: 'The quick brown fox jumps over the lazy dog, and the dog answers at some length.',
        created_at: '2026-11-27T20:00:00.000000Z',
        changed_seq: 1_000_001 + number,
        reactions: [],
      },
    ],
    members: [],
  };
}
