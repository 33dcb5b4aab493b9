package argolua

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
)

const scripts = "../../../examples/argocd"

func script(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(scripts, name+".lua"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// recorded reads a Deployment from testdata.
func recorded(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var obj map[string]any
	if err := json.Unmarshal(text, &obj); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return obj
}

// run is runLua of Argo CD 3.6 (util/lua/lua.go): the libraries package, base and table, a
// module os with the clock alone, the object as the global obj, and one second.
func run(t *testing.T, code string, obj map[string]any) (any, error) {
	t.Helper()
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := l.CallByParam(lua.P{Fn: l.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	l.PreloadModule(lua.OsLibName, func(l *lua.LState) int {
		l.Push(l.SetFuncs(l.NewTable(), map[string]lua.LGFunction{"date": func(l *lua.LState) int {
			if format := l.CheckString(1); format != "!%Y-%m-%dT%XZ" {
				t.Errorf("os.date is asked for %q", format)
			}
			l.Push(lua.LString("2026-11-28T10:00:00Z"))
			return 1
		}}))
		return 1
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	l.SetContext(ctx)
	l.SetGlobal("obj", toLua(l, obj))
	if err := l.DoString(code); err != nil {
		return nil, err
	}
	return fromLua(t, l.Get(-1)), nil
}

func toLua(l *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		list := l.NewTable()
		for _, item := range v {
			list.Append(toLua(l, item))
		}
		return list
	case map[string]any:
		table := l.NewTable()
		for key, item := range v {
			table.RawSetString(key, toLua(l, item))
		}
		return table
	}
	return lua.LNil
}

// fromLua turns an empty table into an empty list, as Argo CD's library does.
func fromLua(t *testing.T, value lua.LValue) any {
	t.Helper()
	switch v := value.(type) {
	case lua.LBool:
		return bool(v)
	case lua.LNumber:
		return float64(v)
	case lua.LString:
		return string(v)
	case *lua.LTable:
		if v.Len() > 0 || v.MaxN() > 0 {
			var list []any
			v.ForEach(func(_, item lua.LValue) { list = append(list, fromLua(t, item)) })
			return list
		}
		table := map[string]any{}
		v.ForEach(func(key, item lua.LValue) { table[key.String()] = fromLua(t, item) })
		if len(table) == 0 {
			return []any{}
		}
		return table
	case *lua.LNilType:
		return nil
	}
	t.Fatalf("the script returned a %s", value.Type())
	return nil
}

// TestNoMoreThanArgoCDHas: the string library would work in a plain Lua and fail in Argo CD.
func TestNoMoreThanArgoCDHas(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		`return ("x"):find("x")`, `return string.sub("x", 1)`, `return os.time()`, `return math.floor(1)`, `while true do end`,
	} {
		if got, err := run(t, code, nil); err == nil {
			t.Errorf("%s works here and returns %v", code, got)
		} else if strings.Contains(err.Error(), "parse error") {
			t.Errorf("%s: %v", code, err)
		}
	}
}
