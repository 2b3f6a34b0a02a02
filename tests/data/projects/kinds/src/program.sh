#!/bin/sh
echo '{"from": "program"}'
