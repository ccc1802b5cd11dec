/**
 * Resolves when no worker of this node tells a former member anything of the conversation; without a member, anybody. To be awaited after the
 * commit, before its answer.
 */
export type RevokeMembership = (conversationId: string, userId?: string) => Promise<void>;
