package main

import (
	"reflect"
	"strings"
	"unicode"
)

// printable returns v without what a terminal would obey in any text of it, a slice in place:
// whoever may edit a Deployment chooses its images and what messages quote, and somebody else
// looks at it.
func printable[V any](v V) V {
	makePrintable(reflect.ValueOf(&v))
	return v
}

// makePrintable replaces control characters in every string of v.
func makePrintable(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(printableText(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			makePrintable(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			makePrintable(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() { // a time has no text
				makePrintable(v.Field(i))
			}
		}
	default: // numbers
	}
}

// printableText leaves line breaks and tabs as they are.
func printableText(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
