import type * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { TagVariables } from "../lib/engine/resources";
import { digestOf, withDigest } from "../lib/registry/references";
import { forDependents } from "./failures";

/** The arguments of the tags of a release. */
export interface ReleaseTagsArgs {
    /** The repository that the image is pushed to. */
    readonly repository: string;
    /** `<repository>@<digest>` of the release. */
    readonly ref: pulumi.Output<string>;
    /** The release's own tag: "r-<12 hex>". */
    readonly release: pulumi.Output<string>;
    /** Tags with placeholders, as in `images.ts`. */
    readonly tags: readonly string[];
}

/**
 * Adds the tags to the release. The text and the variables are inputs, and must not differ by machine or clock: commit and date are
 * found out when it runs. `--prefer-index=false` keeps the digest of a release that is not an index.
 */
const script = `set -eu
fail() {
    echo "$1" >&2
    echo "The release $REF is promoted and stays so. Correct this, and the next update adds its tags: $TAGS" >&2
    exit 1
}
if command -v buildx > /dev/null; then set -- buildx; else set -- docker buildx; fi
commit=
case $TAGS in *"{commit}"*)
    commit=$(git describe --always --dirty --abbrev=12 --exclude "*") || fail "git does not tell the commit of $(pwd)" ;;
esac
date=$(date -u +%Y-%m-%d)
for template in $TAGS; do
    tag=$(echo "$template" | sed "s/{commit}/$commit/g; s/{date}/$date/g")
    "$@" imagetools create --prefer-index=false --tag "\${REF%@*}:$tag" "$REF" || fail "the tag $tag can't be added"
done`;

/**
 * Adds tags that name the commit, the date or the release to each new release of an image. They stay when the image, a tag in `images.ts` or the
 * stack goes. A failure leaves the release promoted, and the next update tries again.
 */
export function releaseTags(name: string, args: ReleaseTagsArgs, opts: pulumi.CustomResourceOptions): pulumi.Resource {
    // Loaded here, because most hierarchies have no such tags, and loading it takes longer than a resource.
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- see above
    const { local } = require("@pulumi/command") as typeof command;
    const ref = forDependents(args.ref, withDigest(args.repository, `sha256:${"0".repeat(64)}`));
    const tags = args.tags.join(" ");
    const environment: TagVariables<pulumi.Input<string>> = {
        REF: ref,
        TAGS: tags.includes("{release}")
            ? args.release.apply((name) => tags.replaceAll("{release}", name.slice("r-".length)))
            : tags,
    };
    return new local.Command(
        name,
        {
            create: script,
            interpreter: ["/bin/sh", "-c"],
            environment: { ...environment },
            triggers: [ref.apply((text) => digestOf(text) ?? text)],
            addPreviousOutputInEnv: false,
        },
        opts,
    );
}
