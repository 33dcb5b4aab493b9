package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClaimOfADirectory(t *testing.T) {
	for sentence, c := range map[string]struct {
		files []string
		want  string // error, with DIR for the directory
	}{
		"a new one":        {},
		"an earlier lab's": {files: []string{pidFile, "etcd"}},
		"one with other things": {
			files: []string{"thesis.tex"},
			want:  "DIR is not empty and is not the directory of a lab: choose another --dir",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			release, err := claim(dir)
			if err != nil {
				if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != c.want {
					t.Errorf("error %q, want %q", got, c.want)
				}
				return
			}
			if _, err := running(dir); err != nil || c.want != "" {
				t.Errorf("claimed: %v, want error %q", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "etcd")); err == nil {
				t.Error("the earlier lab's data is still there")
			}
			release()
			if _, err := running(dir); err == nil {
				t.Error("a released directory still has a lab running in it")
			}
		})
	}
}
