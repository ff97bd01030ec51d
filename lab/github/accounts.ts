import { notFound } from "./errors";
import { rateLimit } from "./access";
import { organization, publicUser } from "./representAccount";
import { fullRepository } from "./representRepository";
import { type Handler, ok, type RepositoryHandler } from "./request";
import { own } from "./state";

/** Returns the user of the token. */
export const getUser: Handler = ({ state, base, token }) => ok(publicUser(state, base, token.login));

/** Returns an organization; 404 for a user, by which clients tell the two apart. */
export const getOrganization: Handler = ({ state, base, params }) => {
    const login = params.org ?? "";
    const account = own(state.accounts, login);
    if (account?.type !== "Organization") throw notFound();
    return ok(organization(account, base, login));
};

/** Returns the repository (schema `full-repository`). */
export const getRepository: RepositoryHandler = ({ state, base, repository }) =>
    ok(fullRepository(state, base, repository));

/** Returns the remaining limits; the request does not count. */
export const getRateLimit: Handler = ({ state }) => {
    const core = rateLimit(state);
    const quiet = { limit: 30, used: 0, remaining: 30, reset: core.reset };
    return ok({ resources: { core, search: quiet }, rate: core });
};
