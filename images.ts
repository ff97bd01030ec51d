import type { ImageDefinitions } from "./lib/hierarchy/definition";

/**
 * The hierarchy of this repository's images. Their base images and inputs are in their Dockerfiles, and not repeated
 * here.
 */
export const images: ImageDefinitions = {
    base: {
        description: "PyTorch, torchvision and the time zone: the base of every other image",
        name: "ghcr.io/cs24-1/cs24-1-bot-base:latest",
        dockerfile: "docker/Dockerfile.base",
        platforms: ["linux/amd64", "linux/arm64"],
        labels: { "org.opencontainers.image.source": "https://github.com/cs24-1/cs24-1-bot" },
        smokeTest: "docker/smoke/base.sh",
        registryCache: false,
    },
    ci: {
        description: "the image in which test.yml and lint.yml run",
        name: "ghcr.io/cs24-1/cs24-1-bot-ci:latest",
        dockerfile: "docker/Dockerfile.ci",
        platforms: ["linux/amd64"],
        labels: { "org.opencontainers.image.source": "https://github.com/cs24-1/cs24-1-bot" },
        smokeTest: "docker/smoke/ci.sh",
    },
    bot: {
        description: "the deployed Discord bot",
        name: "ghcr.io/cs24-1/cs24-1-bot:latest",
        dockerfile: "docker/Dockerfile",
        platforms: ["linux/amd64", "linux/arm64"],
        labels: { "org.opencontainers.image.source": "https://github.com/cs24-1/cs24-1-bot" },
        smokeTest: "docker/smoke/bot.sh",
    },
    devcontainer: {
        description: "the development environment: built as a check, never pushed",
        dockerfile: ".devcontainer/Dockerfile",
        platforms: "host",
    },
};
