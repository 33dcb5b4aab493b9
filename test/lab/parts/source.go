package parts

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
)

// Source returns the directory in the module cache that holds module, in the version that
// the build module of the part requires. It is downloaded if it is not there.
func Source(ctx context.Context, name Part, module string) (string, error) {
	root, err := findRoot()
	if err != nil {
		return "", err
	}
	text, err := goCommand(ctx, filepath.Join(root, recipes[name].module), hermetic(), nil, "mod", "download", "-json", module)
	if err != nil {
		return "", fmt.Errorf("source of lab part %s: %w", name, err)
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal([]byte(text), &downloaded); err != nil {
		return "", fmt.Errorf("source of lab part %s: go mod download -json %s: %w", name, module, err)
	}
	return downloaded.Dir, nil
}
