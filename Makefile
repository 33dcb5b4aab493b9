# Every target needs Go, make and git. Other programs are built once, from Go modules.
.DEFAULT_GOAL := help
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
IMAGE   ?= ghcr.io/headgate/headgate:$(VERSION)
LDFLAGS := -s -w -X main.version=$(VERSION)
LINTER  := bin/golangci-lint
CHART   := charts/headgate

# Builds what a target runs, and says how far it is: the first time takes minutes. The flags are those with which
# it builds (test/lab/parts), so that it shares what it compiles.
PREPARE := CGO_ENABLED=0 GOFLAGS="$$GOFLAGS -gcflags=all=-dwarf=false" go -C test run ./cmd/build -o $(CURDIR)/bin
PARTS   := etcd kube-apiserver kube-controller-manager traefik prometheus headgate

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the programs into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/ ./cmd/...

# -count=1 turns off the test cache: these tests build the programs that they run, so go test does not see that
# those have changed. Two packages at a time, each with a lab of its own: a lab mostly waits. go test prints how
# long each package took, and its lines are the last.
.PHONY: test
test: PARTS += argocd-engine
test: unit parts ## run all tests: unit tests, a moment of fuzzing, the lab's integration and end-to-end tests
	@$(MAKE) --no-print-directory fuzz FUZZTIME=2000x
	@go -C test test -count=1 -timeout 60m -p 2 ./...

.PHONY: unit
unit: ## run the tests that need only Go
	@began=$$(date +%s) && go test ./... && echo "the unit tests took $$(($$(date +%s) - began)) s"

FUZZTIME ?= 1m

# go test fuzzes one target at a time. What it finds is kept in testdata/fuzz of the package, to be committed. The tests
# give each target 2000 inputs, not 2 s: until Go 1.27 a target may fail with "context deadline exceeded" when its time
# ends (https://go.dev/issue/75804). With a time, such an end counts as a pass if no failing input was found. An input of
# new coverage is made smaller in 100 tries: without a limit this may take a minute, which is not part of a number of inputs.
.PHONY: fuzz
fuzz: ## fuzz every parser, the admission handler and what is stored; FUZZTIME=10m or 5000x for each of them
	@mkdir -p bin; began=$$(date +%s); for file in $$(git grep -l '^func Fuzz' -- '*_test.go'); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' $$file); do \
			echo "fuzz $$target of $$(dirname $$file)"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x ./$$(dirname $$file) > bin/fuzz.log 2>&1 || \
				{ grep -q '^    context deadline exceeded$$' bin/fuzz.log && ! grep -q 'Failing input written\|^panic' bin/fuzz.log; } || \
				{ cat bin/fuzz.log; exit 1; }; \
		done; done; echo "fuzzing took $$(($$(date +%s) - began)) s"

.PHONY: parts
parts: ## build the programs that the lab runs
	@$(PREPARE) $(PARTS) kubectl kubectl-headgate

.PHONY: integration
integration: parts ## run the lab's own tests: a real control plane, nodes, an ingress controller
	@go -C test test -count=1 -timeout 30m -p 1 ./lab/...

.PHONY: e2e
e2e: parts ## run the end-to-end tests: rollouts under load on a real control plane
	@go -C test test -count=1 -timeout 60m -p 1 ./e2e/...

.PHONY: lint
lint: $(LINTER) ## check formatting, vet and import rules
	$(LINTER) run
	cd test && ../$(LINTER) run --config ../.golangci.yml

.PHONY: golden
golden: ## rewrite the golden files and the generated tables
	go test ./analysis ./rollout ./rollout/reason ./rollout/status ./cmd/headgate ./cmd/kubectl-headgate ./cmd/kubectl-headgate/convert \
		./cmd/kubectl-headgate/draw -update
	go -C test test ./chart -update

.PHONY: chart
chart: ## lint and render the chart, with each of test/chart/testdata/*.values.yaml
	go -C test run ./cmd/chart lint $(CURDIR)/$(CHART) $(CURDIR)/test/chart/testdata/*.values.yaml

.PHONY: lab
lab: ## run a cluster on this machine until Ctrl-C; ARGS="--pods 1000 --hollow", ARGS=--help
	@$(PREPARE) -commands lab $(PARTS) kubectl
	@CGO_ENABLED=0 GOFLAGS="$$GOFLAGS -gcflags=all=-dwarf=false" go build -o bin/ ./cmd/kubectl-headgate
	@bin/lab up $(ARGS)

.PHONY: lab-shell
lab-shell: ## open a shell inside the running lab, with kubectl set up
	@$(PREPARE) -commands lab
	@bin/lab shell $(ARGS)

.PHONY: demo
demo: ## promote a good version and roll back a bad one, under load, in three minutes
	@$(PREPARE) -commands demo $(PARTS)
	@bin/demo

SOAK ?= 2m

.PHONY: bench
bench: ## measure what a rollout costs, beside Argo Rollouts; SOAK=10m ARGS="-only first-weight", ARGS=--help
	@$(PREPARE) -commands bench $(PARTS)
	@bin/bench -soak $(SOAK) $(ARGS)

.PHONY: bench-analysis
bench-analysis: ## simulate how canaries are judged, beside other tools' rules; ARGS="-only healthy -runs 200", ARGS=--help
	@go -C test build -o $(CURDIR)/bin/bench-analysis ./cmd/bench-analysis
	@bin/bench-analysis $(ARGS)

.PHONY: image
image: ## build the container image
	docker build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

COMMANDS  := $(notdir $(wildcard cmd/*))
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
# Without the v of a tag, as Helm and image tags have it. A commit that has no tag is no semantic version.
NUMBER    := $(if $(findstring .,$(VERSION)),$(VERSION:v%=%),0.0.0-g$(VERSION))

.PHONY: dist
dist: ## what a release has beside its image, into dist/: archives of the programs, the chart, checksums
	rm -rf dist
	$(foreach platform,$(PLATFORMS),$(foreach command,$(COMMANDS),$(call archive,$(command),$(subst /, ,$(platform)))))
	go -C test run ./cmd/chart package $(CURDIR)/$(CHART) $(NUMBER) $(CURDIR)/dist
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

$(LINTER): .tools/golangci-lint/go.sum
	CGO_ENABLED=0 go -C .tools/golangci-lint build -trimpath -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
