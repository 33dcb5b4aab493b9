# Every target needs Go, make and git. The other programs are built once from Go modules.
.DEFAULT_GOAL := help
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE   ?= ghcr.io/headgate/headgate:$(VERSION)
LDFLAGS := -s -w -X main.version=$(VERSION)
HELM    := bin/helm
LINTER  := bin/golangci-lint
LAB     := bin/lab

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the programs into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/ ./cmd/...

# -count=1 turns off the test cache: these tests build the programs that they run, so go test does not see that
# those have changed. Two packages at a time, each with a lab of its own: a lab mostly waits. go test prints how
# long each package took, and its lines are the last.
.PHONY: test
test: unit ## run all tests: unit tests, then the lab's integration and end-to-end tests
	@go -C test test -count=1 -timeout 60m -p 2 ./...

.PHONY: unit
unit: ## run the tests that need only Go
	@began=$$(date +%s) && go test ./... && echo "the unit tests took $$(($$(date +%s) - began)) s"

.PHONY: integration
integration: ## run the lab's own tests: a real control plane, nodes, an ingress controller
	@go -C test test -count=1 -timeout 30m -p 1 ./lab/...

.PHONY: e2e
e2e: ## run the end-to-end tests: rollouts under load on a real control plane
	@go -C test test -count=1 -timeout 60m -p 1 ./e2e/...

.PHONY: lint
lint: $(LINTER) ## check formatting, vet and import rules
	$(LINTER) run
	cd test && ../$(LINTER) run --config ../.golangci.yml

.PHONY: golden
golden: ## rewrite the golden files and the generated tables
	go test ./analysis ./rollout ./rollout/reason ./cmd/headgate -update

.PHONY: chart
chart: $(HELM) ## lint and render the chart
	$(HELM) lint --strict charts/headgate
	$(HELM) template headgate charts/headgate --namespace headgate-system > /dev/null
	$(HELM) template headgate charts/headgate --namespace headgate-system \
		--set replicas=1,metrics.serviceMonitor.enabled=true,prometheus.address=http://prometheus:9090 > /dev/null

.PHONY: lab
lab: $(LAB) ## run a cluster on this machine until Ctrl-C; ARGS="--pods 1000 --hollow", ARGS=--help
	@$(LAB) up $(ARGS)

.PHONY: lab-shell
lab-shell: $(LAB) ## open a shell inside the running lab, with kubectl set up
	@$(LAB) shell $(ARGS)

.PHONY: demo
demo: ## promote a good version and roll back a bad one, under load, in three minutes
	@go -C test build -o $(CURDIR)/bin/demo ./cmd/demo
	@bin/demo

SOAK ?= 2m

.PHONY: bench
bench: ## measure what a rollout costs, beside Argo Rollouts; SOAK=10m ARGS="-only first-weight", ARGS=--help
	@go -C test build -o $(CURDIR)/bin/bench ./cmd/bench
	@bin/bench -soak $(SOAK) $(ARGS)

.PHONY: image
image: ## build the container image
	docker build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

COMMANDS  := $(notdir $(wildcard cmd/*))
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
# Without the v of a tag, as Helm and image tags have it. A commit that has no tag is no semantic version.
NUMBER    := $(if $(findstring .,$(VERSION)),$(VERSION:v%=%),0.0.0-g$(VERSION))

.PHONY: dist
dist: $(HELM) ## what a release has beside its image, into dist/: archives of the programs, the chart, checksums
	rm -rf dist
	$(foreach platform,$(PLATFORMS),$(foreach command,$(COMMANDS),$(call archive,$(command),$(subst /, ,$(platform)))))
	$(HELM) package charts/headgate --version $(NUMBER) --app-version $(NUMBER) --destination dist
	rm -r dist/bin
	cd dist && sha256sum * > checksums.txt

# The archive of a command ($1) for a system and a processor (the words of $2). git archive needs no tar, and gives
# every file the time of the commit, so that the same commit makes the same archive.
define archive
	CGO_ENABLED=0 GOOS=$(word 1,$2) GOARCH=$(word 2,$2) \
		go build -trimpath -ldflags "$(LDFLAGS)" -o dist/bin/$(word 1,$2)_$(word 2,$2)/ ./cmd/$1
	git archive --format=tar.gz -o dist/$1_$(NUMBER)_$(word 1,$2)_$(word 2,$2).tar.gz \
		--add-file=$$(echo dist/bin/$(word 1,$2)_$(word 2,$2)/$1*) HEAD LICENSE

endef

.PHONY: notes
notes: ## what CHANGELOG.md says about VERSION
	@awk -v version='$(NUMBER)' ' \
		/^## / { name = $$2; gsub(/[][]/, "", name); sub(/^v/, "", name); inside = name == version; next } \
		inside { print; if (NF) found = 1 } \
		END { if (!found) { print "CHANGELOG.md says nothing about " version > "/dev/stderr"; exit 1 } }' CHANGELOG.md

.PHONY: clean
clean: ## remove bin/ and dist/; the lab's programs stay in the user's cache directory
	rm -rf bin dist

.PHONY: ci
ci: lint chart test ## run everything that a pull request must pass

$(HELM): .tools/helm/go.sum
	CGO_ENABLED=0 go -C .tools/helm build -trimpath -o $(CURDIR)/$@ helm.sh/helm/v4/cmd/helm

$(LINTER): .tools/golangci-lint/go.sum
	CGO_ENABLED=0 go -C .tools/golangci-lint build -trimpath -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: $(LAB)
$(LAB):
	@go -C test build -o $(CURDIR)/$@ ./cmd/lab
