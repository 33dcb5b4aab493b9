package parts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// slot is the directory in the cache that the program of a recipe belongs in.
// Another pin, source line or flag gives another slot. Headgate has one slot
// per checkout, since two checkouts can be two versions.
func (s workshop) slot(name Part, r recipe) (string, error) {
	if r.always {
		return filepath.Join(s.cache, fmt.Sprintf("%s-%s", name, short([]byte(s.root)))), nil
	}
	hash, err := r.fingerprint(os.DirFS(filepath.Join(s.root, r.module)))
	if err != nil {
		return "", fmt.Errorf("reading the build module %s: %w", r.module, err)
	}
	return filepath.Join(s.cache, fmt.Sprintf("%s-%s-%s", name, r.version, hash)), nil
}

// fingerprint is a hash of all that decides what is built: the module's own
// files without the other programs' directories, the flags and the platform.
func (r recipe) fingerprint(module fs.FS) (string, error) {
	var all bytes.Buffer
	fmt.Fprintf(&all, "%q %q %q %s/%s%s\n", r.target, flags, r.ldflags, runtime.GOOS, runtime.GOARCH, r.toolchain)
	err := fs.WalkDir(module, ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && !r.uses(path) {
			return fs.SkipDir
		}
		if err != nil || !isSource(path) {
			return err
		}
		text, err := fs.ReadFile(module, path)
		fmt.Fprintf(&all, "%q %d\n%s", path, len(text), text)
		return err
	})
	return short(all.Bytes()), err
}

// uses tells whether the program may be made from what is in a directory of the module.
func (r recipe) uses(dir string) bool {
	top, _, _ := strings.Cut(dir, "/")
	return r.target == "." || top == "." || top == overlays || top == standIns || "./"+top == r.target
}

func isSource(path string) bool {
	switch filepath.Ext(path) {
	case ".go", ".mod", ".sum":
		return true
	}
	return false
}

// short is a hash that is long enough to tell the builds of one machine apart.
func short(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// removeStale deletes the other slots of the part: older pins, which nothing
// would ever look at again.
func (s workshop) removeStale(name Part, slot string) error {
	entries, err := os.ReadDir(s.cache)
	if err != nil {
		return err
	}
	slots := regexp.MustCompile(`^` + regexp.QuoteMeta(string(name)) + `-\d.*-[0-9a-f]{12}$`)
	for _, entry := range entries {
		if entry.Name() == filepath.Base(slot) || !slots.MatchString(entry.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.cache, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
