/** A person's way into a remote tool server: the browser agrees there and brings the answer to this command, on loopback. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Command } from 'commander';
import type { LoginState } from '../../base/tools.ts';
import { UsageFailure } from '../exit.ts';
import { LIMITS } from '../limits.ts';
import type { Session } from '../session.ts';
import { asJson, change, type ViewOptions } from '../view.ts';

interface LoginOptions extends ViewOptions {
  /** false: only the address is told. */
  readonly browser: boolean;
  readonly port: string;
}

const PROBLEMS: Partial<Record<LoginState, string>> = {
  needed: 'not logged in',
  expired: 'the login has expired',
  more: 'the login allows too little',
};

export const loginProblem = (state: LoginState): string | undefined => PROBLEMS[state];

async function login(session: Session, server: string, options: LoginOptions): Promise<void> {
  const { control, terminal } = session;
  const port = Number(options.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageFailure('--port takes a port, or 0 for a free one', 'mezz tool login --help');
  const desk = createServer();
  desk.listen(port, '127.0.0.1');
  await once(desk, 'listening').catch(() => {
    throw new UsageFailure(`port ${port} of this machine is taken`, 'name another, or none', 1);
  });
  try {
    const redirect = `http://127.0.0.1:${(desk.address() as AddressInfo).port}/callback`;
    const { url } = await control.call('tool.login', { server, redirect });
    terminal.note(`Log in to ${server} at:`);
    terminal.note(url);
    if (options.browser) openBrowser(session, url);
    const { query, response } = await answerOf(desk, new URL(url).searchParams.get('state'));
    const done = await control.call('tool.loggedin', { server, query }).catch((error: unknown) => {
      tell(response, 'mezz is not logged in. The terminal says why.');
      throw error;
    });
    tell(response, `mezz is logged in to ${server}. This page can be closed.`);
    if (options.json) return terminal.printJson(done);
    const { scope } = done.login;
    terminal.print(`logged in to ${server}${scope === null ? '' : `: ${scope}`}`);
  } finally {
    desk.close();
    desk.closeIdleConnections();
  }
}

/** What the browser brings for this very login; whatever else asks here is turned away. */
function answerOf(desk: Server, state: string | null): Promise<{ query: string; response: ServerResponse }> {
  const waitMs = LIMITS.loginMs.value;
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new UsageFailure(`nobody logged in within ${waitMs / 60_000} minutes`, undefined, 124)),
      waitMs,
    );
    desk.on('request', (request, response) => {
      const { pathname, search, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
      if (pathname !== '/callback' || searchParams.get('state') !== state) {
        response.writeHead(404).end();
        return;
      }
      clearTimeout(late);
      resolve({ query: search, response });
    });
  });
}

function tell(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  response.end(`${text}\n`);
}

/** Where there is no browser, the address stands in the terminal. */
function openBrowser({ env }: Session, url: string): void {
  const isMac = process.platform === 'darwin';
  if (!isMac && !env.DISPLAY && !env.WAYLAND_DISPLAY) return;
  const child = spawn(isMac ? 'open' : 'xdg-open', [url], { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}

export function defineLogins(tool: Command, session: Session): void {
  asJson(tool.command('login').description('log in at a remote tool server, in the browser'))
    .argument('<server>', 'its name in mezz.yaml')
    .option('--no-browser', 'only print the address')
    .option(
      '--port <port>',
      'where the browser brings the answer, where that is registered; else a free one',
      '0',
    )
    .action((server: string, options: LoginOptions) => login(session, server, options));
  asJson(tool.command('logout').description('forget the login at a remote tool server'))
    .argument('<server>', 'its name in mezz.yaml')
    .action((server: string, options: ViewOptions) =>
      change(session, options, 'tool.logout', { server }, ({ wasIn }) =>
        wasIn ? `logged out of ${server}` : `nobody was logged in to ${server}`,
      ),
    );
}
