package parts

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hello is a part that builds in a second.
var hello = recipe{version: "1.0.0", module: "hello", target: ".", ldflags: "-s -w"}

// provideOne provides the part hello.
func (s workshop) provideOne(t *testing.T, r recipe) (string, error) {
	t.Helper()
	paths, err := s.provide(t.Context(), map[Part]recipe{"hello": r}, []Part{"hello"}, nil)
	return paths["hello"], err
}

func newTestWorkshop(t *testing.T) (workshop, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	s := workshop{root: t.TempDir(), cache: filepath.Join(t.TempDir(), "headgate"), progress: newProgress(&log)}
	write(t, filepath.Join(s.root, "hello", "go.mod"), "module hello\n\ngo 1.26.0\n")
	write(t, filepath.Join(s.root, "hello", "main.go"), "package main\n\nfunc main() { println(\"one\") }\n")
	return s, &log
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func says(t *testing.T, program string) string {
	t.Helper()
	output, err := exec.Command(program).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(output))
}

func TestAPartIsBuiltOncePerSource(t *testing.T) {
	s, log := newTestWorkshop(t)
	first, err := s.provideOne(t, hello)
	if err != nil {
		t.Fatal(err)
	}
	want := "building from source, once: hello 1.0.0\n" +
		"what is built is kept in " + s.cache + " and in Go's build cache\n" +
		"built in Ns\n"
	if diff := cmp.Diff(want, regexp.MustCompile(`in \d+s`).ReplaceAllString(log.String(), "in Ns")); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}

	log.Reset()
	again, err := s.provideOne(t, hello)
	if err != nil || again != first || log.String() != "" {
		t.Errorf("second time = %q, %v and said %q, want %q in silence", again, err, log, first)
	}

	write(t, filepath.Join(s.root, "hello", "main.go"), "package main\n\nfunc main() { println(\"two\") }\n")
	changed, err := s.provideOne(t, hello)
	if err != nil {
		t.Fatal(err)
	}
	if got := says(t, changed); got != "two" {
		t.Errorf("after a change the program says %q, want %q", got, "two")
	}
	if diff := cmp.Diff([]string{filepath.Base(filepath.Dir(changed)), "hello.lock"}, names(t, s.cache)); diff != "" {
		t.Errorf("left in the cache (-want +got):\n%s", diff)
	}
}

func TestThePartOfTheCheckoutIsAlwaysBuilt(t *testing.T) {
	s, log := newTestWorkshop(t)
	r := hello
	r.always = true
	if _, err := s.provideOne(t, r); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	write(t, filepath.Join(s.root, "hello", "main.go"), "package main\n\nfunc main() { println(\"two\") }\n")
	program, err := s.provideOne(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if got := says(t, program); got != "two" {
		t.Errorf("after a change the program says %q, want %q", got, "two")
	}
	if log.String() != "" {
		t.Errorf("said %q about a rebuild, want nothing", log)
	}
}

// An overlay changes a module, here one that is not downloaded but given.
func TestAnOverlayIsFilledWithWhatItLeavesOfUpstream(t *testing.T) {
	upstream, overlay := t.TempDir(), t.TempDir()
	for _, name := range []string{
		"go.mod", "kept.go", "kept_test.go", "kept.s", "README.md", "changed.go", "testdata/kept.go", "below/kept.go",
		"heavy/heavy.go", "heavy/below/heavy.go",
	} {
		write(t, filepath.Join(upstream, name), "upstream's")
	}
	for _, name := range []string{"go.mod", "changed.go", "heavy/absent.go"} {
		write(t, filepath.Join(overlay, name), "ours")
	}
	if err := fill(overlay, upstream); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := filepath.WalkDir(overlay, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(overlay, path)
		text, err := os.ReadFile(path)
		got[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"go.mod": "ours", "changed.go": "ours", "heavy/absent.go": "ours",
		"kept.go": "upstream's", "kept.s": "upstream's", "below/kept.go": "upstream's",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestProgramsOfAModuleAreBuiltTogether(t *testing.T) {
	s, log := newTestWorkshop(t)
	write(t, filepath.Join(s.root, "hello", "other", "main.go"), "package main\n\nvar version string\n\nfunc main() { println(version) }\n")
	other := hello
	other.target, other.ldflags = "./other", "-X main.version=1.0.0"
	write(t, filepath.Join(s.root, "hammer", "go.mod"), "module hammer\n\ngo 1.26.0\n")
	write(t, filepath.Join(s.root, "hammer", "main.go"), "package main\n\nfunc main() { println(\"bang\") }\n")
	hammer := job{name: "hammer", recipe: recipe{module: "hammer", target: ".", always: true}, program: filepath.Join(t.TempDir(), "hammer")}
	both := map[Part]recipe{"hello": hello, "other": other}
	paths, err := s.provide(t.Context(), both, []Part{"hello", "other", "hello"}, []job{hammer})
	if err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]string{paths["hello"]: "one", paths["other"]: "1.0.0", hammer.program: "bang"} {
		if got := says(t, program); got != want {
			t.Errorf("%s says %q, want %q", program, got, want)
		}
	}
	if want := "building from source, once: hello 1.0.0, other 1.0.0, hammer\n"; !strings.HasPrefix(log.String(), want) {
		t.Errorf("said %q, want first %q", log, want)
	}
}

func TestAFailedBuildQuotesTheCompiler(t *testing.T) {
	s, _ := newTestWorkshop(t)
	write(t, filepath.Join(s.root, "hello", "main.go"), "package main\n\nfunc main() { undefinedThing() }\n")
	_, err := s.provideOne(t, hello)
	if err == nil || !strings.Contains(err.Error(), "main.go:3:15: undefined: undefinedThing") {
		t.Errorf("error = %v, want the compiler's line", err)
	}
	if diff := cmp.Diff([]string{"hello.lock"}, names(t, s.cache)); diff != "" {
		t.Errorf("left in the cache (-want +got):\n%s", diff)
	}
}

func TestTheReasonAnInstalledProgramIsNotUsedIsTold(t *testing.T) {
	s, log := newTestWorkshop(t)
	dir := t.TempDir()
	fake(t, filepath.Join(dir, "hello"), "echo hello 0.9.0")
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	r := hello
	r.path, r.fits = true, atLeast("1.0")
	if _, err := s.provideOne(t, r); err != nil {
		t.Fatal(err)
	}
	want := "not used: " + filepath.Join(dir, "hello") + " has version 0.9.0, want 1.0 or later\n"
	if !strings.HasPrefix(log.String(), want) {
		t.Errorf("said %q, want first %q", log, want)
	}
}

func TestEnsureNamesThePartsThereAre(t *testing.T) {
	_, err := Ensure(t.Context(), nil, "kube-scheduler")
	const want = "lab part kube-scheduler: not a part; " +
		`the parts are [argo-rollouts argocd-engine etcd headgate kube-apiserver kube-controller-manager kubectl kubectl-headgate ` +
		`prometheus traefik]`
	if err == nil || err.Error() != want {
		t.Errorf("error = %v\nwant    %s", err, want)
	}
}

func TestASecondProcessWaitsForTheFirst(t *testing.T) {
	s, _ := newTestWorkshop(t)
	unlock, err := s.lock(t.Context(), "hello", func() { t.Error("the first waits") })
	if err != nil {
		t.Fatal(err)
	}
	waiting, got := make(chan bool, 1), make(chan error, 1)
	go func() {
		_, err := s.lock(t.Context(), "hello", func() { waiting <- true })
		got <- err
	}()
	<-waiting
	select {
	case err := <-got:
		t.Fatalf("the second has the lock (%v) while the first holds it", err)
	default:
	}
	unlock()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestWaitingForAnotherProcessCanBeGivenUp(t *testing.T) {
	s, _ := newTestWorkshop(t)
	unlock, err := s.lock(t.Context(), "hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.lock(ctx, "hello", func() {}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestRootIsThatOfTheProduct(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module github.com/headgate/headgate\n\ngo 1.26.0\n")
	write(t, filepath.Join(root, "test", "go.mod"), "module github.com/headgate/headgate/test\n")
	if got, ok := rootAbove(filepath.Join(root, "test", "lab")); got != root || !ok {
		t.Errorf("rootAbove = %q, %v, want %q", got, ok, root)
	}
	if got, ok := rootAbove(t.TempDir()); ok {
		t.Errorf("rootAbove outside a checkout = %q, want none", got)
	}
	if got, ok := rootAbove("github.com/headgate/headgate/test/lab/parts"); ok { // what -trimpath leaves
		t.Errorf("rootAbove of an import path = %q, want none", got)
	}
}

// The Makefile runs the command that builds with the flags with which it builds.
func TestTheMakefileHasTheFlags(t *testing.T) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "CGO_ENABLED=0 GOFLAGS=\"$$GOFLAGS "+flags+"\"") {
		t.Errorf("the Makefile does not set CGO_ENABLED=0 and GOFLAGS to %q for cmd/build: what both compile is compiled twice", flags)
	}
}

func TestTailIsTheEndWithoutDownloadsAndPackages(t *testing.T) {
	const output = "go: downloading x v1.0.0\n# one\nexample.com/x\nx.go:2: two\ngo: downloading y v1.0.0\nx.go:3: three\n"
	if got, want := tail(output, 2), "\n\tx.go:2: two\n\tx.go:3: three"; got != want {
		t.Errorf("tail = %q, want %q", got, want)
	}
}
