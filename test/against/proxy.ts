/** A plain forwarding proxy: it decides nothing. Usage: node proxy.ts <upstream> <port> */
import { createServer, request } from 'node:http';

const [upstream = '', port = ''] = process.argv.slice(2);
const { hostname, port: upstreamPort } = new URL(upstream);
createServer((incoming, outgoing) => {
  const { url: path, method, headers } = incoming;
  const call = request({ hostname, port: upstreamPort, path, method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  call.on('error', () => outgoing.destroy());
  incoming.pipe(call);
}).listen(Number(port), '127.0.0.1');
