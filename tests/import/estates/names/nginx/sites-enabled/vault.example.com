server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name vault.example.com;
    include snippets/wildcard.conf;
    location / { proxy_pass http://127.0.0.1:8222; include snippets/headers.conf; }
    # only at home and by vpn
    location /admin/ {
        allow 192.0.2.0/24;
        allow 2001:db8:5::/48;
        deny  all;
        proxy_pass http://127.0.0.1:8222;
        include snippets/headers.conf;
    }
}
