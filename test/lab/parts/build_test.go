package parts

import (
	"context"
	"errors"
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
var hello = recipe{version: "1.0.0", module: "hello", target: ".", ldflags: "-s -w", cost: "about a second"}

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
	first, err := s.provide(t.Context(), "hello", hello)
	if err != nil {
		t.Fatal(err)
	}
	want := "building hello 1.0.0 from source: about a second, once; cached in " + filepath.Dir(first) + "\n  hello: done in Ns\n"
	if diff := cmp.Diff(want, regexp.MustCompile(`in \d+s`).ReplaceAllString(log.String(), "in Ns")); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}

	log.Reset()
	again, err := s.provide(t.Context(), "hello", hello)
	if err != nil || again != first || log.String() != "" {
		t.Errorf("second time = %q, %v and said %q, want %q in silence", again, err, log, first)
	}

	write(t, filepath.Join(s.root, "hello", "main.go"), "package main\n\nfunc main() { println(\"two\") }\n")
	changed, err := s.provide(t.Context(), "hello", hello)
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
	if _, err := s.provide(t.Context(), "hello", r); err != nil {
		t.Fatal(err)
	}
	log.Reset()
	write(t, filepath.Join(s.root, "hello", "main.go"), "package main\n\nfunc main() { println(\"two\") }\n")
	program, err := s.provide(t.Context(), "hello", r)
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

func TestAModuleIsCompletedInACopy(t *testing.T) {
	s, _ := newTestWorkshop(t)
	r := hello
	r.complete = func(_ context.Context, module string) error {
		return os.WriteFile(filepath.Join(module, "init.go"), []byte("package main\n\nfunc init() { println(\"zero\") }\n"), 0o644)
	}
	program, err := s.provide(t.Context(), "hello", r)
	if err != nil {
		t.Fatal(err)
	}
	if got := says(t, program); got != "zero\none" {
		t.Errorf("the program says %q, want what was added too", got)
	}
	if diff := cmp.Diff([]string{"go.mod", "main.go"}, names(t, filepath.Join(s.root, "hello"))); diff != "" {
		t.Errorf("files in the checkout (-want +got):\n%s", diff)
	}
}

func TestAFailedBuildQuotesTheCompiler(t *testing.T) {
	s, _ := newTestWorkshop(t)
	write(t, filepath.Join(s.root, "hello", "main.go"), "package main\n\nfunc main() { undefinedThing() }\n")
	_, err := s.provide(t.Context(), "hello", hello)
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
	if _, err := s.provide(t.Context(), "hello", r); err != nil {
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
		`the parts are [argo-rollouts etcd headgate helm kube-apiserver kube-controller-manager kubectl prometheus traefik]`
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

func TestTailIsTheEndWithoutDownloads(t *testing.T) {
	const output = "go: downloading x v1.0.0\none\ntwo\ngo: downloading y v1.0.0\nthree\n"
	if got, want := tail(output, 2), "\n\ttwo\n\tthree"; got != want {
		t.Errorf("tail = %q, want %q", got, want)
	}
}
