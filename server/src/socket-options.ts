import { integer } from './lib/options.ts';

/** Of the section `sockets`. */
export const socketOptions = {
  perAccount: integer({
    env: 'MAX_SOCKETS_PER_ACCOUNT',
    default: 20,
    min: 0,
    max: 10_000,
    help: 'Maximum sockets of an account per worker; one more closes the longest silent one. 0 means no limit',
  }),
  perAddress: integer({
    env: 'MAX_SOCKETS_PER_ADDRESS',
    default: 5_000,
    min: 0,
    max: 10_000_000,
    help: 'Maximum sockets per client address (IPv6: /64) and worker; further ones get 429. Behind a proxy, TRUSTED_PROXIES make it the address of the client. 0 means no limit; loopback has none',
  }),
} as const;
