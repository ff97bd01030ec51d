variable "REGISTRY" {
  default = "ghcr.io/acme"
}

group "default" {
  targets = ["base", "service", "report"]
}

target "_common" {
  platforms = ["linux/amd64"]
}

target "base" {
  inherits = ["_common"]
  context  = "base"
  tags     = ["${REGISTRY}/platform:latest"]
}

target "service" {
  inherits = ["_common"]
  context  = "service"
  args     = { PARENT = "${REGISTRY}/platform:latest" }
  tags     = ["${REGISTRY}/service:latest"]
}

target "report" {
  inherits = ["_common"]
  dockerfile = "report/Dockerfile"
  contexts = { parent = "target:service" }
  tags     = ["${REGISTRY}/report:latest"]
}
