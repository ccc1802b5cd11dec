import { AppError } from '../lib/app-error.ts';
import { hasArrived, type Exchange } from './exchange.ts';

/** Methods without writes. */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Answers 408 for a late handler, and aborts `request.lifetime`. For a write that was sent, the answer is `outcome_unknown`. Later results
 * are discarded. (Fastify's `handlerTimeout` is unsuitable: it treats the end of a request's body as a disconnect.)
 */
export function endLate(exchange: Exchange): void {
  const { response, reply } = exchange;
  if (response === undefined) return;
  const late = new AppError('request_timeout');
  exchange.abort(late);
  if (response.writableFinished) response.req.destroy();
  else if (response.headersSent) response.destroy();
  else if (safeMethods.has(exchange.method) || !hasArrived(response.req)) void reply?.send(late);
  else setImmediate(answerUnlessGivenUp, exchange);
}

/** By now everything that can be cancelled has been, and its handler has answered with the reason. */
function answerUnlessGivenUp({ response, reply }: Exchange): void {
  if (response?.headersSent === false && !response.destroyed) void reply?.send(new AppError('outcome_unknown'));
}
