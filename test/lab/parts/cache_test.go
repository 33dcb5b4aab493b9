package parts

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestFingerprint(t *testing.T) {
	module := func(changes map[string]string) fstest.MapFS {
		files := fstest.MapFS{}
		for name, text := range map[string]string{
			"go.mod": "module m\nrequire x v1.0.0\n", "go.sum": "x v1.0.0 h1:1\n", "main.go": "package main\n", "stub/stub.go": "package stub\n",
		} {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		for name, text := range changes {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		return files
	}
	base := recipe{target: ".", ldflags: "-s -w"}
	tests := map[string]struct {
		recipe  recipe
		changes map[string]string
		same    bool
	}{
		"the same module and flags":         {base, nil, true},
		"a note beside the source":          {base, map[string]string{"README.md": "read me"}, true},
		"another pin":                       {base, map[string]string{"go.mod": "module m\nrequire x v1.0.1\n"}, false},
		"another checksum":                  {base, map[string]string{"go.sum": "x v1.0.0 h1:2\n"}, false},
		"another line of source":            {base, map[string]string{"main.go": "package main // 2\n"}, false},
		"another line in a directory below": {base, map[string]string{"stub/stub.go": "package stub // 2\n"}, false},
		"a file more":                       {base, map[string]string{"more.go": ""}, false},
		"text moved from one file to a next": {
			base, map[string]string{"go.mod": "module m\nrequire x v1.0.0\nx v1.0.0 h1:1\n", "go.sum": ""}, false,
		},
		"other flags":     {recipe{target: ".", ldflags: "-s"}, nil, false},
		"another package": {recipe{target: "./cmd", ldflags: "-s -w"}, nil, false},
	}
	want, err := base.fingerprint(module(nil))
	if err != nil || len(want) != 12 {
		t.Fatalf("fingerprint = %q, %v, want 12 digits", want, err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := test.recipe.fingerprint(module(test.changes))
			if err != nil {
				t.Fatal(err)
			}
			if (got == want) != test.same {
				t.Errorf("fingerprint = %s, the one before = %s, want same = %v", got, want, test.same)
			}
		})
	}
}

func TestFingerprintLeavesOutOtherPrograms(t *testing.T) {
	files := fstest.MapFS{}
	for _, name := range []string{"go.mod", "one/main.go", "two/main.go", "overlay/x/x.go", "standin/y/y.go"} {
		files[name] = &fstest.MapFile{Data: []byte("text")}
	}
	for target, counts := range map[string]string{
		"./one":         "go.mod one/main.go overlay/x/x.go standin/y/y.go",
		"example.com/x": "go.mod overlay/x/x.go standin/y/y.go",
		".":             "go.mod one/main.go two/main.go overlay/x/x.go standin/y/y.go",
	} {
		r := recipe{target: target}
		before, err := r.fingerprint(files)
		if err != nil {
			t.Fatal(err)
		}
		for name := range files {
			changed := maps.Clone(files)
			changed[name] = &fstest.MapFile{Data: []byte("another text")}
			after, err := r.fingerprint(changed)
			if err != nil {
				t.Fatal(err)
			}
			if want := slices.Contains(strings.Fields(counts), name); (after != before) != want {
				t.Errorf("a change of %s changes the fingerprint of %s: %v, want %v", name, target, after != before, want)
			}
		}
	}
}

func TestOnlyOlderBuildsOfThePartAreStale(t *testing.T) {
	const slot = "etcd-3.7.0-0123456789ab"
	kept := []string{"bin", "etcd-3.7.0-0123456789ab", "etcd-notes", "etcd.lock", "etcdctl-3.7.0-0123456789ab", "helm-4.3.1-0123456789ab"}
	stale := []string{"etcd-3.6.1-0123456789ab", "etcd-3.7.0-rc.1-0123456789ab", "etcd-3.7.0-ba9876543210"}

	s := workshop{cache: t.TempDir()}
	for _, name := range append(stale, kept...) {
		if err := os.MkdirAll(filepath.Join(s.cache, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.removeStale(Etcd, filepath.Join(s.cache, slot)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kept, names(t, s.cache)); diff != "" {
		t.Errorf("left in the cache (-want +got):\n%s", diff)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}
