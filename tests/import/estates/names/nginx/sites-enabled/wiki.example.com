server {
    listen 443 ssl; listen [::]:443 ssl;
    server_name wiki.example.com;
    include snippets/wildcard.conf;
    location / {
        proxy_pass         http://localhost:3003;
        proxy_http_version 1.1;
        proxy_set_header   Upgrade $http_upgrade;
        proxy_set_header   Connection $connection_upgrade;
        include snippets/headers.conf;
    }
}
