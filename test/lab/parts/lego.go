package parts

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const lego = "github.com/go-acme/lego/v5"

// completeLego adds to the directory lego in a copy of Traefik's build module
// what is there of the real lego, without its DNS providers and its commands.
// See test/lab/build/traefik/lego/providers/dns for the reason.
func completeLego(ctx context.Context, module string) error {
	upstream, err := download(ctx, module, lego)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(upstream)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		switch entry.Name() {
		case "providers", "cmd", "e2e", "docs":
			continue
		}
		if !entry.IsDir() { // package main, and a go.mod that asks for every DNS provider
			continue
		}
		target := filepath.Join(module, "lego", entry.Name())
		if err := os.CopyFS(target, os.DirFS(filepath.Join(upstream, entry.Name()))); err != nil {
			return err
		}
	}
	return nil
}

// download returns the directory in the module cache of the version that the
// build module requires, although it replaces it.
func download(ctx context.Context, module, path string) (string, error) {
	version, err := goCommand(ctx, module, hermetic(), "list", "-m", "-f", "{{.Version}}", path)
	if err != nil {
		return "", err
	}
	// Outside the module: inside, the replacement would be "downloaded". The
	// checksum database vouches for the content.
	text, err := goCommand(ctx, filepath.Dir(module), hermetic(), "mod", "download", "-json", path+"@"+strings.TrimSpace(version))
	if err != nil {
		return "", err
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal([]byte(text), &downloaded); err != nil {
		return "", fmt.Errorf("go mod download -json: %w", err)
	}
	return downloaded.Dir, nil
}
