import { AppError } from '../lib/app-error.ts';
import { hasArrived, type Exchange } from './exchange.ts';

/** Methods after which nothing is written. */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Answers for a handler that is late, with 408; what it awaits sees `request.lifetime` abort. For a write that was sent, the
 * answer is `outcome_unknown`. Later results are discarded. (Fastify's `handlerTimeout` is unsuitable: it takes the end of a
 * request's body for a disconnect.)
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

/** By now, whatever could be called back has been, and its handler has answered with the reason. */
function answerUnlessGivenUp({ response, reply }: Exchange): void {
  if (response?.headersSent === false && !response.destroyed) void reply?.send(new AppError('outcome_unknown'));
}
