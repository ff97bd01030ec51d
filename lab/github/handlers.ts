import { getOrganization } from "./accounts";
import { deleteContent, getContent, putContent } from "./contents";
import { createDeployment, createDeploymentStatus, createDispatch } from "./deployments";
import { environmentHandlers } from "./environments";
import type { OperationId } from "./operations";
import { getPackageVersion, listPackageVersions, removePackageVersion } from "./packages";
import { createPull, getPull, listPulls, updatePull } from "./pulls";
import { createRef, deleteRef, getBranch, getCommit, getRef, listCommits } from "./refs";
import { getRepository } from "./repositories";
import type { Handler, RepositoryHandler } from "./request";
import { listJobs } from "./runs";
import { listOrganizationSecrets, secretHandlers } from "./secrets";
import type { SecretKind } from "./state";
import {
    createVariable,
    deleteVariable,
    getVariable,
    listOrganizationVariables,
    listVariables,
    updateVariable,
} from "./variables";

/** Handlers of operations without a repository. */
export const accountHandlers = {
    "orgs/get": getOrganization,
    "packages/get-all-package-versions-for-package-owned-by-org": listPackageVersions,
    "packages/get-all-package-versions-for-package-owned-by-user": listPackageVersions,
    "packages/get-package-version-for-organization": getPackageVersion,
    "packages/get-package-version-for-user": getPackageVersion,
    "packages/delete-package-version-for-org": removePackageVersion,
    "packages/delete-package-version-for-user": removePackageVersion,
} satisfies Partial<Record<OperationId, Handler>>;

type RepositoryOperation = Exclude<OperationId, keyof typeof accountHandlers>;

function secretOperations<const Kind extends SecretKind>(kind: Kind) {
    const { key, get, put, remove } = secretHandlers(kind);
    return {
        [`${kind}/get-repo-public-key`]: key,
        [`${kind}/get-repo-secret`]: get,
        [`${kind}/create-or-update-repo-secret`]: put,
        [`${kind}/delete-repo-secret`]: remove,
    } as Record<
        Extract<RepositoryOperation, `${Kind}/${string}-repo-secret` | `${Kind}/get-repo-public-key`>,
        RepositoryHandler
    >;
}

/** Handlers of operations on a repository: the compiler checks that the list is complete. */
export const repositoryHandlers: Record<RepositoryOperation, RepositoryHandler> = {
    "repos/get": getRepository,
    "repos/get-branch": getBranch,
    "repos/get-content": getContent,
    "repos/create-or-update-file-contents": putContent,
    "repos/delete-file": deleteContent,
    "repos/list-commits": listCommits,
    "repos/get-commit": getCommit,
    "git/get-ref": getRef,
    "git/create-ref": createRef,
    "git/delete-ref": deleteRef,
    "repos/create-dispatch-event": createDispatch,
    "repos/create-deployment": createDeployment,
    "repos/create-deployment-status": createDeploymentStatus,
    "pulls/list": listPulls,
    "pulls/create": createPull,
    "pulls/get": getPull,
    "pulls/update": updatePull,
    ...secretOperations("actions"),
    ...secretOperations("dependabot"),
    ...secretOperations("codespaces"),
    "actions/list-jobs-for-workflow-run-attempt": listJobs,
    ...environmentHandlers,
    "actions/list-repo-secrets": secretHandlers("actions").list,
    "actions/list-repo-organization-secrets": listOrganizationSecrets,
    "actions/list-repo-variables": listVariables,
    "actions/list-repo-organization-variables": listOrganizationVariables,
    "actions/get-repo-variable": getVariable,
    "actions/create-repo-variable": createVariable,
    "actions/update-repo-variable": updateVariable,
    "actions/delete-repo-variable": deleteVariable,
};
