package parts

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	// overlays is the directory of a build module that holds changes to other modules,
	// each at its module path.
	overlays = "overlay"
	// standIns is the directory of a build module that holds modules to be built with
	// instead of upstream's, each at its module path.
	standIns = "standin"
	// absent is the file that replaces a whole package and the directories below it.
	absent = "absent.go"
)

// completeCopy copies a build module, and below its overlays what they leave of the
// modules that they change. An overlay has files instead of upstream's of the same name,
// and where it has absent.go nothing of upstream's directory is left. It has a go.mod
// too, without requirements: the build module has those that count.
func completeCopy(ctx context.Context, module, work string) error {
	if err := os.CopyFS(work, os.DirFS(module)); err != nil {
		return err
	}
	root := filepath.Join(work, overlays)
	var changed []string
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "go.mod" {
			changed = append(changed, filepath.Dir(file))
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, overlay := range changed {
		name, err := filepath.Rel(root, overlay)
		if err != nil {
			return err
		}
		upstream, err := download(ctx, work, filepath.ToSlash(name))
		if err != nil {
			return err
		}
		if err := fill(overlay, upstream); err != nil {
			return fmt.Errorf("copy %s: %w", upstream, err)
		}
	}
	return nil
}

// fill copies the source files of upstream that the overlay does not replace.
func fill(overlay, upstream string) error {
	return fs.WalkDir(os.DirFS(upstream), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(overlay, filepath.FromSlash(name))
		switch {
		case entry.IsDir() && (entry.Name() == "testdata" || exists(filepath.Join(target, absent))):
			return fs.SkipDir
		case entry.IsDir() || !isCompiled(name) || exists(target):
			return nil
		}
		text, err := os.ReadFile(filepath.Join(upstream, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
}

func isCompiled(name string) bool {
	return path.Ext(name) == ".s" || path.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go")
}

// download returns the directory in the module cache of the version that the
// build module requires, although it replaces it.
func download(ctx context.Context, module, name string) (string, error) {
	version, err := goCommand(ctx, module, hermetic(), nil, "list", "-m", "-f", "{{.Version}}", name)
	if err != nil {
		return "", err
	}
	// Outside the module: inside, the replacement would be "downloaded". The
	// checksum database vouches for the content.
	text, err := goCommand(ctx, filepath.Dir(module), hermetic(), nil, "mod", "download", "-json", name+"@"+strings.TrimSpace(version))
	if err != nil {
		return "", err
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal([]byte(text), &downloaded); err != nil {
		return "", fmt.Errorf("go mod download -json: %w", err)
	}
	return downloaded.Dir, nil
}
