#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The first deployment of one app as a person would write it down who knows how: packages, uv, a unit, nginx, a health check.
#
#   deploy.sh NAME CODE
set -eu
export DEBIAN_FRONTEND=noninteractive
export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt  # uv trusts what the host does
name=$1 code=$2

apt-get install -qq -y --no-install-recommends ca-certificates curl nginx python3 python3-venv uwsgi-core uwsgi-plugin-python3 \
    >/dev/null
useradd --system --no-create-home --shell /usr/sbin/nologin "$name"
python3 -m venv /opt/uv
/opt/uv/bin/pip install -qq uv
mkdir -p "/srv/$name"
cp -R "$code" "/srv/$name/code"
/opt/uv/bin/uv venv --quiet --python /usr/bin/python3 "/srv/$name/venv"
/opt/uv/bin/uv pip install --quiet --compile-bytecode --python "/srv/$name/venv/bin/python" -r "/srv/$name/code/requirements.txt"
cat >"/etc/systemd/system/$name.service" <<END
[Service]
User=$name
Group=www-data
RuntimeDirectory=$name
ExecStart=/usr/bin/uwsgi-core --plugin python3 --socket /run/$name/app.sock --chmod-socket=660 --master --processes 2 --threads 2 \
    --virtualenv /srv/$name/venv --chdir /srv/$name/code --module app:app --die-on-term
Type=notify
KillSignal=SIGQUIT
Restart=on-failure

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --quiet --now "$name"
cat >"/etc/nginx/sites-available/default" <<END
server {
    listen 80 default_server;
    location / {
        include uwsgi_params;
        uwsgi_pass unix:/run/$name/app.sock;
    }
}
END
nginx -t -q
systemctl reload nginx
for _ in 1 2 3 4 5 6 7 8 9 10; do
    curl --silent --fail --output /dev/null http://127.0.0.1/ && exit
    sleep 0.5
done
echo "no answer" >&2
exit 1
