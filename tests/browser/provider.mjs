// A certified OpenID Connect provider (npm oidc-provider) on loopback, with the people of the sample organisation.

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

/** What Bandpass is called there, and its secret. */
export const CLIENT = { id: "bandpass", secret: "a secret between the two" };
/** A program that calls by itself. */
export const BOT = { id: "build-bot", secret: "a secret of the bot" };
/** The audience of access tokens for Bandpass's API. */
export const AUDIENCE = "urn:bandpass:api";

// Login name there, and the identifier that the directory has. Subjects are neither.
const PEOPLE = { nora: "nora.lindqvist", mina: "mina.solberg", rashid: "rashid.karimi", tuva: "tuva.nilsen", stranger: "nobody.known" };

function key(kid, type, options) {
  return { ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), kid, use: "sig" };
}

/**
 * Starts it. `bandpass`: where Bandpass is. `inIdToken`: whether claims lie in the ID token, or at userinfo alone. The answer has
 * `url` and `stop()`.
 */
export async function startProvider({ bandpass, port, inIdToken }) {
  const url = `http://127.0.0.1:${port}`;
  const provider = new Provider(url, {
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [`${bandpass}/signin/company/callback`],
        post_logout_redirect_uris: [`${bandpass}/signed-out`],
        backchannel_logout_uri: `${bandpass}/signin/company/backchannel-logout`,
        backchannel_logout_session_required: true,
      },
      {
        client_id: BOT.id,
        client_secret: BOT.secret,
        redirect_uris: [],
        response_types: [],
        grant_types: ["client_credentials"],
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "employee_id"] },
    conformIdTokenClaims: !inIdToken,
    cookies: { keys: ["a key for tests"] },
    jwks: { keys: [key("rsa", "rsa", { modulusLength: 2048 }), key("ec", "ec", { namedCurve: "P-256" })] },
    features: {
      devInteractions: { enabled: true },
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: () => ({ audience: AUDIENCE, scope: "read request approve", accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } }),
      },
    },
    // Its own way of calling others refuses loopback addresses, and here everything is on one.
    fetch: (address, { dispatcher, ...options }) => fetch(address, options),
    findAccount: (_, login) => ({
      accountId: login,
      claims: () => ({ sub: login, name: login, email: `${login}@example.org`, email_verified: true, employee_id: PEOPLE[login] }),
    }),
  });
  const troubles = [];
  for (const event of ["server_error", "backchannel.error"]) provider.on(event, (...given) => troubles.push(`${event}: ${given.map(String).join(" ")}`));
  const server = createServer(provider.callback());
  await new Promise((done, failed) => server.once("error", failed).listen(port, "127.0.0.1", done));
  const stop = () => new Promise((done) => {
    server.close(done);
    server.closeAllConnections();
  });
  return { url, troubles, stop };
}
