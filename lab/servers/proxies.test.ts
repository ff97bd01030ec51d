import { expect, test } from "../../tests/mocha";
import { proxyExceptions } from "./proxies";

const own = "registry.localhost,localhost,127.0.0.1";

test.each<[string, NodeJS.ProcessEnv, string]>([
    ["a proxy", { HTTPS_PROXY: "http://proxy:3128" }, own],
    ["a proxy for HTTP in lower case", { http_proxy: "http://proxy:3128" }, own],
    ["exceptions of the user's", { HTTPS_PROXY: "p", NO_PROXY: ".corp, 10.0.0.0/8" }, `.corp,10.0.0.0/8,${own}`],
    ["exceptions in lower case", { HTTPS_PROXY: "p", no_proxy: ".corp" }, `.corp,${own}`],
    ["exceptions in both", { HTTPS_PROXY: "p", NO_PROXY: "a,b", no_proxy: "b,c" }, `a,b,c,${own}`],
    ["exceptions that name the lab", { HTTPS_PROXY: "p", NO_PROXY: own }, own],
    ["no proxy for anything", { HTTPS_PROXY: "p", NO_PROXY: "*" }, "*"],
])("with %s set, the lab's servers are reached without one, in both spellings", (_name, env, exceptions) => {
    const variables = proxyExceptions(env);
    expect(variables).toEqual({ NO_PROXY: exceptions, no_proxy: exceptions });
    expect(proxyExceptions({ ...env, ...variables })).toEqual(variables);
});

test.each<NodeJS.ProcessEnv>([{}, { HTTPS_PROXY: "" }, { NO_PROXY: "a" }])(
    "without a proxy nothing is set: %j",
    (env) => {
        expect(proxyExceptions(env)).toEqual({});
    },
);
