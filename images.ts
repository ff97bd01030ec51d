import type { ImageDefinitions } from "./lib/hierarchy/definition";

/**
 * The hierarchy. What an image is built from and what it reads stands in its Dockerfile and is not said again here.
 */
export const images: ImageDefinitions = {
    base: {
        description: "PyTorch, torchvision and the time zone: what every other image stands on",
        name: "ghcr.io/cs24-1/cs24-1-bot-base:latest",
        dockerfile: "docker/Dockerfile.base",
        platforms: ["linux/amd64", "linux/arm64"],
        labels: { "org.opencontainers.image.source": "https://github.com/cs24-1/cs24-1-bot" },
        smokeTest: "docker/smoke/base.sh",
        registryCache: false,
    },
    ci: {
        description: "the image that test.yml and lint.yml run in",
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
        description: "the development environment: built to know that it builds, never pushed",
        dockerfile: ".devcontainer/Dockerfile",
        platforms: "host",
    },
};
