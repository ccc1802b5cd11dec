/**
 * Sends calls for one message in separate statements, in their order; all others together. All statements are sent synchronously, so one
 * transaction executes them, and each sees the changes of those before it. `send` returns one result for each call.
 */
export async function inRounds<Call extends { readonly conversationId: string; readonly number: number }, Result>(
  calls: readonly Call[],
  send: (round: readonly Call[]) => Promise<readonly Result[]>,
): Promise<Result[]> {
  const rounds: Call[][] = [];
  const counts = new Map<string, number>();
  for (const call of calls) {
    const key = `${call.conversationId} ${call.number}`;
    const round = counts.get(key) ?? 0;
    counts.set(key, round + 1);
    (rounds[round] ??= []).push(call);
  }
  const answers = await Promise.all(rounds.map(async (round) => send(round)));
  const results = new Map<Call, Result>();
  for (const [round, sent] of rounds.entries())
    for (const [place, call] of sent.entries()) {
      const result = answers[round]?.[place];
      if (result === undefined) throw new Error('a change of a message has no outcome');
      results.set(call, result);
    }
  return calls.map((call) => results.get(call)).filter((result) => result !== undefined);
}
