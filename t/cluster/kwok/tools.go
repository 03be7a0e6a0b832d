// SPDX-License-Identifier: Apache-2.0

//go:build tools

// A program that is built as it is: it stands here so that `go mod tidy`
// keeps what it needs.
package main

import _ "sigs.k8s.io/kwok/cmd/kwok"
