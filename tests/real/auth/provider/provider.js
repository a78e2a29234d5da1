// An identity provider: whoever comes to it is alice, without a form.
//
//   node provider.js PACKAGES PORT

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [packages, port] = process.argv.slice(2);
// The packages lie in the cache, and an import looks only beside this file.
const found = createRequire(`${packages}/`).resolve('oauth2-mock-server');
const { OAuth2Server } = await import(pathToFileURL(found));

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
server.issuer.url = `http://127.0.0.1:${port}`;
server.service.on('beforeTokenSigning', (token) => {
  token.payload.sub = 'alice';
  // Trino takes no token that was made for somebody else.
  token.payload.aud = 'trino-client';
});
await server.start(Number(port), '127.0.0.1');
