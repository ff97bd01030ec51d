import { webBase } from "./accounts";
import { Refusal, notFound } from "./errors";
import { type ApiRequest, type Handler, noContent, ok, paginate } from "./request";
import { type PackageVersion, own } from "./state";

/** Downloads of a public version above which GitHub removes it no more. */
const mostDownloads = 5000;

/** Returns the versions of the package in the path, and its address. */
function findPackage({ state, base, params }: ApiRequest) {
    const [owner = "", name = ""] = [params.org ?? params.username, params.package_name];
    const kind = params.org === undefined ? "User" : "Organization";
    const versions = own(state.packages ?? {}, `${owner}/${name}`);
    if (own(state.accounts, owner)?.type !== kind || !versions) throw notFound();
    const path = kind === "User" ? "users" : "orgs";
    return { owner, name, versions, url: `${base}/${path}/${owner}/packages/container/${encodeURIComponent(name)}` };
}

/** Schema `package-version`. */
const represent = (request: ApiRequest, { id, name, tags, createdAt }: PackageVersion) => {
    const { owner, name: packageName, url } = findPackage(request);
    return {
        id,
        name,
        url: `${url}/versions/${id.toString()}`,
        package_html_url: `${webBase(request.base)}/orgs/${owner}/packages/container/package/${encodeURIComponent(packageName)}`,
        created_at: createdAt,
        updated_at: createdAt,
        metadata: { package_type: "container", container: { tags } },
    };
};

/** Returns a page of the versions of a package, newest first; of a user's package all, because its list takes no page. */
export const listPackageVersions: Handler = (request) => {
    const { versions } = findPackage(request);
    if (request.params.username !== undefined) return ok(versions.map((version) => represent(request, version)));
    const { page, headers } = paginate(request, versions);
    return { ...ok(page.map((version) => represent(request, version))), headers };
};

function findVersion(request: ApiRequest) {
    const { versions } = findPackage(request);
    const version = versions.find(({ id }) => id.toString() === request.params.package_version_id);
    if (!version) throw notFound();
    return { versions, version };
}

/** Returns a version of a package. */
export const getPackageVersion: Handler = (request) => ok(represent(request, findVersion(request).version));

/** Removes a version of a package. */
export const removePackageVersion: Handler = (request) => {
    const { versions, version } = findVersion(request);
    if (version.downloads > mostDownloads) {
        throw new Refusal(
            400,
            "Publicly visible package versions with more than 5000 downloads cannot be deleted. Contact GitHub support for further assistance.",
        );
    }
    if (version.tags.length > 0 && versions.filter(({ tags }) => tags.length > 0).length === 1) {
        throw new Refusal(
            400,
            "You cannot delete the last tagged version of a package. You must delete the package instead.",
        );
    }
    versions.splice(versions.indexOf(version), 1);
    return noContent();
};
