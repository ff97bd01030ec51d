import { notFound, Refusal } from "./errors";
import { created, noContent, ok, paginate, type RepositoryHandler } from "./request";
import { checkedName, maxValueBytes } from "./secrets";
import { own, type Variable } from "./state";
import { laterThan, timestamp } from "./time";

const represent = (name: string, { value, createdAt, updatedAt }: Variable) => ({
    name,
    value,
    created_at: createdAt,
    updated_at: updatedAt,
});

function checkedValue(value: string): string {
    if (Buffer.byteLength(value) > maxValueBytes) throw new Refusal(422, "Variable value exceeds 48 KB");
    return value;
}

/** Returns all variables with their values. */
export const listVariables: RepositoryHandler = (request) => {
    const all = Object.entries(request.repository.variables).map(([name, one]) => represent(name, one));
    const { page, headers } = paginate(request, all, { usual: 10, most: 30 });
    return { ...ok({ total_count: all.length, variables: page }), headers };
};

/** Returns the variables that the repository's owner shares with it. */
export const listOrganizationVariables: RepositoryHandler = (request) => {
    const { organization, createdAt } = request.repository;
    const all = Object.entries(organization?.variables ?? {}).map(([name, value]) =>
        represent(name, { value, createdAt, updatedAt: createdAt }),
    );
    const { page, headers } = paginate(request, all, { usual: 10, most: 30 });
    return { ...ok({ total_count: all.length, variables: page }), headers };
};

/** Returns a variable; the case of its name does not matter. */
export const getVariable: RepositoryHandler = ({ repository, params }) => {
    const name = (params.name ?? "").toUpperCase();
    const variable = own(repository.variables, name);
    if (!variable) throw notFound();
    return ok(represent(name, variable));
};

/** Creates a variable; refuses an existing variable with 409. */
export const createVariable: RepositoryHandler = ({ repository, body }) => {
    const { name: given, value } = body as { name: string; value: string };
    const name = checkedName("Variable", given);
    if (own(repository.variables, name)) {
        throw new Refusal(409, `Already exists - Variable already exists: ${name}`);
    }
    const now = timestamp();
    repository.variables[name] = { value: checkedValue(value), createdAt: now, updatedAt: now };
    return created({});
};

/** Changes a variable's value, and its name if the request gives a different one. */
export const updateVariable: RepositoryHandler = ({ repository, params, body }) => {
    const name = (params.name ?? "").toUpperCase();
    const before = own(repository.variables, name);
    if (!before) throw notFound();
    const { name: given = name, value = before.value } = body as { name?: string; value?: string };
    const target = checkedName("Variable", given);
    if (target !== name && own(repository.variables, target)) {
        throw new Refusal(409, `Already exists - Variable already exists: ${target}`);
    }
    const changed = { value: checkedValue(value), createdAt: before.createdAt, updatedAt: laterThan(before.updatedAt) };
    Reflect.deleteProperty(repository.variables, name);
    repository.variables[target] = changed;
    return noContent();
};

/** Deletes a variable. */
export const deleteVariable: RepositoryHandler = ({ repository, params }) => {
    const name = (params.name ?? "").toUpperCase();
    if (!own(repository.variables, name)) throw notFound();
    Reflect.deleteProperty(repository.variables, name);
    return noContent();
};
