import { request as httpRequest } from 'node:http';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import { LIMITS } from '../limits.ts';

const secure = () => process.getBuiltinModule('node:https').request;

export interface HttpRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body, `{}` where it is no JSON object. */
  readonly json: JsonRecord;
}

/** One request to its end. Rejects where nobody answers. */
export function send({ url, method = 'POST', headers, body }: HttpRequest): Promise<HttpReply> {
  return new Promise((resolve, reject) => {
    const open = url.startsWith('https:') ? secure() : httpRequest;
    const call = open(url, { method, headers: { 'content-type': 'application/json', ...headers } });
    call.setTimeout(LIMITS.subjectAnswerMs.value, () => call.destroy(new Error(`${url} does not answer`)));
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const json = parseJson(text);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isRecord(json) ? json : {},
        });
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}
