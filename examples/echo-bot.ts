/** A bot that repeats what it is told: `MESSENGER_PASSWORD=… node examples/echo-bot.ts http://127.0.0.1:8080 echo`. */
import { Messenger } from '@messenger/client';

const [url = 'http://127.0.0.1:8080', username = 'echo'] = process.argv.slice(2);
const bot = new Messenger({ url });
const { user } = await bot.signIn({ username, password: process.env['MESSENGER_PASSWORD'] ?? '' });
const followed = new Set<string>();

/** An answer marks what is before it as read: after a restart, the bot goes on with what it has not answered. */
function echo(conversationId: string, read: number): void {
  let answered = read;
  bot.follow(conversationId, ({ messages }) => {
    for (const { number, sender_id: sender, body } of messages) {
      if (number <= answered) continue;
      answered = number;
      if (sender !== user.id && typeof body === 'string') void bot.send(conversationId, body);
    }
  });
}

bot.subscribe('conversations', () => {
  for (const { id, me } of bot.conversations) {
    if (followed.has(id)) continue;
    followed.add(id);
    echo(id, me.read_number);
  }
});
bot.start();
