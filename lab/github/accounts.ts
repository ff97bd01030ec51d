import { notFound } from "./errors";
import { rateLimit } from "./access";
import { organization, publicUser } from "./representAccount";
import { fullRepository } from "./representRepository";
import { type Handler, ok, type RepositoryHandler } from "./request";
import { own } from "./state";

/** Whom the token belongs to. */
export const getUser: Handler = ({ state, base, token }) => ok(publicUser(state, base, token.login));

/** An organization; users are none, which is how clients tell them apart. */
export const getOrganization: Handler = ({ state, base, params }) => {
    const login = params.org ?? "";
    const account = own(state.accounts, login);
    if (account?.type !== "Organization") throw notFound();
    return ok(organization(account, base, login));
};

/** The repository itself (schema `full-repository`). */
export const getRepository: RepositoryHandler = ({ state, base, repository }) =>
    ok(fullRepository(state, base, repository));

/** What is left of the limits; asking is free. */
export const getRateLimit: Handler = ({ state }) => {
    const core = rateLimit(state);
    const quiet = { limit: 30, used: 0, remaining: 30, reset: core.reset };
    return ok({ resources: { core, search: quiet }, rate: core });
};
